// The messages of a room. Only the visible ones are rendered. The scroll position stays: older pages are added above, and a
// new message scrolls the list only if the reader is at the end.

import { useCallback, useMemo, useRef } from 'react';
import { Virtuoso, type VirtuosoHandle } from 'react-virtuoso';
import type { ShownMessageFragment } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import type { Unsent } from '../outbox.ts';
import { Icon } from '../parts/icon.tsx';
import { useChat } from '../session/signed-in.ts';
import { isGrouped, Message } from './message.tsx';
import { isDeletable, isEditable } from './message-rights.ts';
import type { OpenRoom } from './open-room.ts';
import { PendingMessage } from './pending-message.tsx';
import type { Opened } from './room-state.ts';
import { useEnd } from './use-end.ts';
import { usePending } from './use-pending.ts';

interface Props {
  opened: Opened;
  room: OpenRoom;
  onEdit: (message: ShownMessageFragment) => void;
  onDelete: (message: ShownMessageFragment) => void;
}

type Item = ShownMessageFragment | Unsent;

/** An older page is loaded when fewer messages than this are left above. */
const nearTop = 20;
const atEndWithinPx = 80;

export function MessageList({ opened, room, onEdit, onDelete }: Props) {
  const words = useWords();
  const { viewer } = useChat();
  const { view, membership, older } = opened;
  const list = useRef<VirtuosoHandle>(null);
  const pending = usePending(view.room.id, view.messages);
  const items: readonly Item[] = useMemo(
    () => (pending.length === 0 ? view.messages : [...view.messages, ...pending]),
    [view.messages, pending],
  );
  // Numbers have no gaps, so the number of the first message works as an index that falls as older pages are added.
  const first = view.messages[0]?.number ?? 0;
  const { frame, atEnd, onAtEnd, unseen, toEnd } = useEnd(list, view.messages.at(-1)?.number ?? 0, pending.length);

  const keyOf = useCallback(
    (_index: number, item: Item) => {
      // The viewer's own message keeps its element when it changes from pending to sent.
      if ('roomId' in item) return `${viewer.id} ${item.clientMessageId}`;
      return item.clientMessageId && item.sender ? `${item.sender.id} ${item.clientMessageId}` : item.id;
    },
    [viewer.id],
  );
  const draw = (index: number, item: Item) => {
    const before = items[index - first - 1];
    if ('roomId' in item) {
      const written = { sender: viewer, createdAt: new Date(item.at).toISOString() };
      return <PendingMessage unsent={item} continues={before !== undefined && ('roomId' in before || isGrouped(before, written))} />;
    }
    return (
      <Message
        message={item}
        before={before && 'kind' in before ? before : undefined}
        own={item.sender?.id === viewer.id}
        onEdit={membership && isEditable(item, viewer.id) ? onEdit : undefined}
        onDelete={membership && isDeletable(item, viewer.id, membership) ? onDelete : undefined}
      />
    );
  };
  return (
    <div className="messages" ref={frame}>
      <Virtuoso
        ref={list}
        className="messages-scroll"
        role="log"
        aria-live="off"
        aria-label={words.messages}
        data={items}
        context={{ older }}
        components={components}
        firstItemIndex={first}
        initialTopMostItemIndex={{ index: 'LAST', align: 'end' }}
        alignToBottom
        // Otherwise measured heights apply one frame late, and that frame is rendered at the wrong position.
        skipAnimationFrameInResizeObserver
        increaseViewportBy={{ top: 600, bottom: 300 }}
        computeItemKey={keyOf}
        itemContent={draw}
        atBottomThreshold={atEndWithinPx}
        atBottomStateChange={onAtEnd}
        followOutput={(atBottom) => (atBottom ? 'auto' : false)}
        rangeChanged={({ startIndex }) => {
          if (startIndex - first < nearTop) void room.loadOlder();
        }}
      />
      {atEnd ? null : (
        <button type="button" className="button to-end" data-unseen={unseen} onClick={toEnd}>
          <Icon name="down" />
          {unseen ? words.newMessages : words.newest}
        </button>
      )}
    </div>
  );
}

const components = { Header: Beginning, Footer: () => <div className="messages-end" /> };

/** Shown before the first message. Its height is constant, so that nothing moves when it changes. */
function Beginning({ context }: { context?: { older: Opened['older'] } }) {
  const words = useWords();
  const labels = { none: words.beginning, more: '', loading: words.olderLoading, failing: words.olderFailing };
  return <p className="beginning">{labels[context?.older ?? 'more']}</p>;
}
