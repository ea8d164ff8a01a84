// What someone wrote, as they wrote it. Web addresses can be followed; nothing else in it is anything but text.

import { Fragment } from 'react';

const address = /(https?:\/\/[^\s<>"'`]+)/g;
const trailing = /[.,;:!?)\]}…]+$/;

export function Text({ children }: { children: string }) {
  // Split by a group, every second part is what the group matched.
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
