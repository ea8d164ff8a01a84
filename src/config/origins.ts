// Origins of web pages and names of hosts, as ALLOWED_ORIGINS and ALLOWED_HOSTS list them. Each is returned in the form in which
// browsers send it: in lower case, in Punycode, and without the default port.

import { isIP } from 'node:net';

const webSchemes = ['http:', 'https:'];
/** Of pages in apps and in extensions of browsers. */
const schemes = [...webSchemes, 'capacitor:', 'ionic:', 'tauri:', 'chrome-extension:', 'moz-extension:', 'safari-web-extension:'];

/** `https://App.example:443` is `https://app.example`. Undefined if the text is no origin, or one of another scheme. */
export function normalizeOrigin(text: string): string | undefined {
  const [, scheme = '', wildcard = '', host = ''] = /^([a-z][a-z0-9+.-]*:)\/\/(\*\.)?([^/?#@\\\s%*]+)$/i.exec(text) ?? [];
  const protocol = scheme.toLowerCase();
  const url = URL.parse(`${protocol}//${host}`);
  if (!schemes.includes(protocol) || url === null) return undefined;
  if (wildcard !== '' && !(webSchemes.includes(protocol) && mayHaveWildcard(url.hostname))) return undefined;
  return `${protocol}//${wildcard}${url.host.toLowerCase()}`;
}

/** `Chat.example` is `chat.example`, and `::1` is `[::1]`. Undefined if the text is no name or address of a host, or has a port. */
export function normalizeHost(text: string): string | undefined {
  if (isIP(text) === 6) return URL.parse(`http://[${text}]`)?.hostname;
  const [, wildcard = '', host = ''] = /^(\*\.)?(\[[^\]]+\]|[^/?#@\\\s%*:]+)$/.exec(text) ?? [];
  const hostname = URL.parse(`http://${host}`)?.hostname;
  if (hostname === undefined || (wildcard !== '' && !mayHaveWildcard(hostname))) return undefined;
  return wildcard + hostname;
}

/** A wildcard for all names of a top-level domain would allow pages of anybody. */
const mayHaveWildcard = (hostname: string) => isIP(hostname) === 0 && !hostname.startsWith('[') && /[^.]\.[^.]/.test(hostname);
