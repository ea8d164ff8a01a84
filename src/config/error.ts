// The error of a setting.

/** A setting is wrong or missing. The message is a sentence for the operator that names the variable. */
export class ConfigError extends Error {}
