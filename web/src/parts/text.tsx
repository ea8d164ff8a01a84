// The text of a message. Web addresses become links. Everything else stays text.

import { Fragment } from 'react';

const address = /(https?:\/\/[^\s<>"'`]+)/g;
const trailing = /[.,;:!?)\]}…]+$/;

export function Text({ children }: { children: string }) {
  // `split` with a group returns the matches at odd indexes.
  return children.split(address).map((part, index) => {
    const key = `${index}`;
    if (index % 2 === 0) return <Fragment key={key}>{part}</Fragment>;
    const target = part.replace(trailing, '');
    if (!isWebAddress(target)) return <Fragment key={key}>{part}</Fragment>;
    return (
      <Fragment key={key}>
        <a href={target} target="_blank" rel="noopener noreferrer nofollow">
          {target}
        </a>
        {part.slice(target.length)}
      </Fragment>
    );
  });
}

function isWebAddress(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === 'https:' || url?.protocol === 'http:';
}
