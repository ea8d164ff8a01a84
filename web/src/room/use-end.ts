// The end of the list: whether its reader is there, whether something has come since they were, and the way to it. Who is
// there stays there while the screen turns, a keyboard opens, or the composer grows.

import { type RefObject, useCallback, useEffect, useRef, useState } from 'react';
import type { VirtuosoHandle } from 'react-virtuoso';

const sizeOf = (frame: HTMLElement | null) => (frame ? `${frame.clientWidth} ${frame.clientHeight}` : '');

export function useEnd(list: RefObject<VirtuosoHandle | null>, newest: number, pending: number) {
  const frame = useRef<HTMLDivElement>(null);
  const size = useRef('');
  const stays = useRef(true);
  const [atEnd, setAtEnd] = useState(true);
  const [seen, setSeen] = useState(newest);
  if (atEnd && seen < newest) setSeen(newest);

  const toEnd = useCallback(() => list.current?.scrollToIndex({ index: 'LAST', align: 'end' }), [list]);
  const onAtEnd = useCallback((value: boolean) => {
    // It is the frame that moved away, not the reader.
    if (!value && stays.current && sizeOf(frame.current) !== size.current) return;
    stays.current = value;
    setAtEnd(value);
  }, []);

  useEffect(() => {
    const { current } = frame;
    if (!current) return;
    size.current = sizeOf(current);
    let settling = 0;
    const observer = new ResizeObserver(() => {
      if (sizeOf(current) === size.current) return;
      if (stays.current) toEnd();
      // Until the list has measured itself anew.
      clearTimeout(settling);
      settling = setTimeout(() => {
        size.current = sizeOf(current);
        if (stays.current) toEnd();
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
    // Whoever writes wants to see it.
    if (pending > before.current) toEnd();
    before.current = pending;
  }, [pending, toEnd]);

  return { frame, atEnd, onAtEnd, unseen: seen < newest, toEnd };
}
