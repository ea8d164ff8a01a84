// The end of the message list: whether the reader is there, whether there are unseen messages, and a way to scroll there. A
// reader at the end stays there when the screen turns, a keyboard opens or the composer grows.

import { type RefObject, useCallback, useEffect, useRef, useState } from 'react';
import type { VirtuosoHandle } from 'react-virtuoso';

const sizeOf = (frame: HTMLElement | null) => (frame ? `${frame.clientWidth} ${frame.clientHeight}` : '');

export function useEnd(list: RefObject<VirtuosoHandle | null>, newest: number, pending: number) {
  const frame = useRef<HTMLDivElement>(null);
  const size = useRef('');
  const pinned = useRef(true);
  const [atEnd, setAtEnd] = useState(true);
  const [seen, setSeen] = useState(newest);
  if (atEnd && seen < newest) setSeen(newest);

  const toEnd = useCallback(() => list.current?.scrollToIndex({ index: 'LAST', align: 'end' }), [list]);
  const onAtEnd = useCallback((value: boolean) => {
    // The frame was resized. The reader did not scroll.
    if (!value && pinned.current && sizeOf(frame.current) !== size.current) return;
    pinned.current = value;
    setAtEnd(value);
  }, []);

  useEffect(() => {
    const { current } = frame;
    if (!current) return;
    size.current = sizeOf(current);
    let settling = 0;
    const observer = new ResizeObserver(() => {
      if (sizeOf(current) === size.current) return;
      if (pinned.current) toEnd();
      // Once more after the list has measured itself.
      clearTimeout(settling);
      settling = setTimeout(() => {
        size.current = sizeOf(current);
        if (pinned.current) toEnd();
      }, 150);
    });
    observer.observe(current);
    return () => {
      observer.disconnect();
      clearTimeout(settling);
    };
  }, [toEnd]);

  const before = useRef(pending);
  useEffect(() => {
    // Shows the viewer's own new message.
    if (pending > before.current) toEnd();
    before.current = pending;
  }, [pending, toEnd]);

  return { frame, atEnd, onAtEnd, unseen: seen < newest, toEnd };
}
