// Which names look alike. Two names that a reader may take for each other have the same skeleton: by the confusable characters
// of Unicode (UTS 39), whatever the case.

import unhomoglyph from 'unhomoglyph';
import { fold } from './tables.ts';

/** The library lacks the skeletons of sequences that decompose, so accents are separated first. */
export const skeletonOf = (name: string): string =>
  fold(unhomoglyph(name.normalize('NFD')).replace(/\p{Default_Ignorable_Code_Point}/gu, ''));
