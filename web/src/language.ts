// Which language the page speaks: the browser’s, or the one that was chosen.

import { local } from './keep.ts';
import { Store, useStore } from './store.ts';
import { type Language, languages, type Words, words } from './words.ts';

const key = 'gapless.language';

const language = new Store<Language>(find());

function find(): Language {
  const wanted = [local.get(key), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  return wanted.find((tag): tag is Language => languages.includes(tag as Language)) ?? 'en';
}

/** Has the document say, from now on, which language it is in. */
export function keepLanguage(): void {
  const say = () => {
    document.documentElement.lang = language.value;
  };
  say();
  language.subscribe(say);
}

export function chooseLanguage(chosen: Language): void {
  local.set(key, chosen);
  language.set(chosen);
}

export const useLanguage = (): Language => useStore(language);
export const useWords = (): Words => words[useLanguage()];
