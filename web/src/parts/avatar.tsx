// The initials of a person, in a colour that is always the same for this person.

const colours = 8;

export const Avatar = ({ id, name }: { id: string; name: string }) => (
  <span className={`avatar hue-${colourOf(id)}`} aria-hidden="true">
    {initialsOf(name)}
  </span>
);

function colourOf(id: string): number {
  let hash = 0;
  for (const letter of id) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return hash % colours;
}

function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/);
  const chosen = words.length > 1 ? [words[0], words.at(-1)] : words;
  return chosen
    .map((word) => [...(word ?? '')][0] ?? '')
    .join('')
    .toUpperCase();
}
