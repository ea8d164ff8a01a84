// Which messages of the list are on the screen. The list also renders messages above and below.

import { type RefObject, useCallback, useEffect, useRef, useState } from 'react';

export interface OnScreen {
  /** Number of the first and of the last message. 0 if there is none. */
  readonly first: number;
  readonly last: number;
}

const measureAfterMs = 50;
/** A message counts as soon as this much of it is shown. */
const shownPx = 24;

export function useOnScreen(frame: RefObject<HTMLElement | null>): { onScreen: OnScreen; measureSoon: () => void } {
  const [onScreen, setOnScreen] = useState<OnScreen>({ first: 0, last: 0 });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const measureSoon = useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      const { first, last } = measure(frame.current);
      setOnScreen((before) => (before.first === first && before.last === last ? before : { first, last }));
    }, measureAfterMs);
  }, [frame]);
  useEffect(() => {
    const { current } = frame;
    // Scrolling does not bubble.
    current?.addEventListener('scroll', measureSoon, { capture: true, passive: true });
    const observer = new ResizeObserver(measureSoon);
    if (current) observer.observe(current);
    return () => {
      current?.removeEventListener('scroll', measureSoon, { capture: true });
      observer.disconnect();
      clearTimeout(timer.current);
      timer.current = undefined;
    };
  }, [frame, measureSoon]);
  return { onScreen, measureSoon };
}

function measure(frame: HTMLElement | null): OnScreen {
  const box = frame?.getBoundingClientRect();
  const numbers = [...(frame?.querySelectorAll<HTMLElement>('[data-number]') ?? [])].flatMap((element) => {
    const { top, bottom } = element.getBoundingClientRect();
    const isShown = box && Math.min(bottom, top + shownPx) <= box.bottom && Math.max(top, bottom - shownPx) >= box.top;
    return isShown ? Number(element.dataset['number']) : [];
  });
  return numbers.length === 0 ? { first: 0, last: 0 } : { first: Math.min(...numbers), last: Math.max(...numbers) };
}
