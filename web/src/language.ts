// The language of the page: the chosen one, or the first of the browser's languages that the page has.

import { local } from './storage.ts';
import { Store, useStore } from './store.ts';
import { type Language, languages, type Words, words } from './words.ts';

const key = 'gapless.language';

const language = new Store<Language>(find());

function find(): Language {
  const wanted = [local.get(key), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  return wanted.find((tag): tag is Language => languages.includes(tag as Language)) ?? 'en';
}

/** Keeps the `lang` attribute of the document current. */
export function keepLanguage(): void {
  const setLang = () => {
    document.documentElement.lang = language.value;
  };
  setLang();
  language.subscribe(setLang);
}

export function chooseLanguage(chosen: Language): void {
  local.set(key, chosen);
  language.set(chosen);
}

/** For text outside of components. */
export const currentWords = (): Words => words[language.value];

export const useLanguage = (): Language => useStore(language);
export const useWords = (): Words => words[useLanguage()];
