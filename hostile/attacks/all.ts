// Every attack, in the order in which they run.

import type { Attack } from '../attack.ts';
import { changeAttacks } from './changes.ts';
import { connectionAttacks } from './connections.ts';
import { documentAttacks } from './documents.ts';
import { socketAttacks } from './sockets.ts';

export const attacks: readonly Attack[] = [...documentAttacks, ...changeAttacks, ...socketAttacks, ...connectionAttacks];
