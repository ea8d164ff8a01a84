// Defaults of a role or database that would change what the statements of the server mean. Behind a pooler, a setting of the
// session would reach the sessions of others, so that each transaction sets its own.

/** How each default is recognised, and what a transaction sets in its place. Its begin sets the isolation level. */
const defaults: Record<string, { readonly differs: string; readonly set?: string }> = {
  default_transaction_isolation: { differs: "current_setting('transaction_isolation') <> 'read committed'" },
  // pg reads times in the ISO format.
  datestyle: { differs: "current_setting('datestyle') not like 'ISO%'", set: "set local datestyle = 'ISO'" },
  // Sends pass null in arrays.
  array_nulls: { differs: "current_setting('array_nulls') <> 'on'", set: 'set local array_nulls = on' },
  // Since PostgreSQL 17.
  transaction_timeout: { differs: isShort('transaction_timeout'), set: 'set local transaction_timeout = 0' },
  // A transaction that is begun by name sets these two in any case.
  statement_timeout: { differs: isShort('statement_timeout') },
  lock_timeout: { differs: isShort('lock_timeout') },
};

/** Timeouts of 5 s and more do not matter: the server gives up after 4.5 s. */
function isShort(name: string): string {
  const value = `current_setting('${name}', true)`;
  return `(${value} <> '0' and ${value}::interval < interval '5 s')`;
}

/** Expression: the names of the defaults that differ, separated by commas. */
export const differingDefaults = `concat_ws(', ', ${Object.entries(defaults)
  .map(([name, { differs }]) => `case when ${differs} then '${name}' end`)
  .join(', ')})`;

/** The statements that a transaction runs after its begin, for the defaults with these names. */
export const settingsFor = (names: string): string =>
  Object.entries(defaults)
    .flatMap(([name, { set }]) => (set !== undefined && names.split(', ').includes(name) ? [`; ${set}`] : []))
    .join('');
