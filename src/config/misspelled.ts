// Finds variables of the environment whose names look like a setting that was misspelled.

/** Shorter names, such as HOST and PORT, resemble too many variables of other programs. */
const minLength = 7;
const maxDistance = 2;

export interface Misspelled {
  readonly name: string;
  /** The setting that was probably meant. */
  readonly setting: string;
}

/** The variables that are no setting, but differ from one that is not set by at most two letters, or by case. */
export function findMisspelled(env: Readonly<Record<string, string | undefined>>, settings: readonly string[]): Misspelled[] {
  const isSet = (name: string) => (env[name] ?? '') !== '';
  const candidates = settings.filter((setting) => setting.length >= minLength && !isSet(setting));
  return Object.keys(env)
    .filter((name) => isSet(name) && !settings.includes(name))
    .flatMap((name) => {
      const folded = name.trim().toUpperCase();
      const setting = candidates.find(
        (each) => Math.abs(each.length - folded.length) <= maxDistance && distance(each, folded) <= maxDistance,
      );
      return setting === undefined ? [] : [{ name, setting }];
    });
}

/** The number of letters to insert, delete, replace, or swap with their neighbour (optimal string alignment). */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number) => rows[i]?.[j] as number;
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(i - 2, j - 2) + 1 : Infinity;
      row.push(Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, replaced, swapped));
    }
  }
  return at(a.length, b.length);
}
