// Selects the language of the page.

import { chooseLanguage, useLanguage, useWords } from '../language.ts';
import { type Language, languages, words } from '../words.ts';

export function LanguageChoice() {
  const language = useLanguage();
  const { language: label } = useWords();
  return (
    <label className="field">
      <span>{label}</span>
      <select value={language} onChange={({ target }) => chooseLanguage(target.value as Language)}>
        {languages.map((each) => (
          <option key={each} value={each} lang={each}>
            {words[each].languageName}
          </option>
        ))}
      </select>
    </label>
  );
}
