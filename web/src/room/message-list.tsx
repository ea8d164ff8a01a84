// The messages of a room. Only the visible ones are rendered. The scroll position stays: older pages are added above, and a
// new message scrolls the list only if the reader is at the end.

import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { Virtuoso, type VirtuosoHandle } from 'react-virtuoso';
import type { ShownMessageFragment } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import type { Unsent } from '../outbox.ts';
import { Icon } from '../parts/icon.tsx';
import { shortly } from '../rooms/unread.tsx';
import { useChat } from '../session/signed-in.ts';
import { isGrouped, Message } from './message.tsx';
import { isDeletable, isEditable } from './message-rights.ts';
import type { OpenRoom } from './open-room.ts';
import { PendingMessage } from './pending-message.tsx';
import type { Opened } from './room-state.ts';
import { useEnd } from './use-end.ts';
import { useOnScreen } from './use-on-screen.ts';
import { usePending } from './use-pending.ts';
import { type Divider, firstUnreadOf, useUnread } from './use-unread.ts';

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
  const { viewer, rooms } = useChat();
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
  const { onScreen, measureSoon } = useOnScreen(frame);
  useEffect(() => {
    if (items.length > 0) measureSoon();
  }, [items, measureSoon]);
  const divider = useUnread(opened, onScreen);
  const isUnreadLoaded = divider !== undefined && (first <= divider.after + 1 || older === 'none');
  const firstUnread = isUnreadLoaded ? firstUnreadOf(view.messages, divider, viewer.id) : undefined;
  const [isJumping, setJumping] = useState(false);
  const [jumpedTo, setJumpedTo] = useState<number>();
  const isAbove = divider !== undefined && (isUnreadLoaded ? (firstUnread?.number ?? Infinity) : 0) < onScreen.first;
  const toFirstUnread = async ({ after }: Divider) => {
    setJumpedTo(after);
    await room.loadAfter(after);
    setJumping(true);
  };
  useEffect(() => {
    if (!isJumping || !firstUnread) return;
    setJumping(false);
    list.current?.scrollToIndex({ index: firstUnread.number - first, align: 'start' });
  }, [isJumping, firstUnread, first]);

  const keyOf = useCallback(
    (_index: number, item: Item) => {
      // The viewer's own message keeps its element when it changes from pending to sent.
      if ('roomId' in item) return `${viewer.id} ${item.clientMessageId}`;
      return item.clientMessageId && item.sender ? `${item.sender.id} ${item.clientMessageId}` : item.id;
    },
    [viewer.id],
  );
  const onUnread = useCallback(
    (message: ShownMessageFragment) => void rooms.markUnread(view.room.id, message.id).catch(() => {}),
    [rooms, view.room.id],
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
        divider={item.id === firstUnread?.id ? words.newCount(shortly(divider?.count ?? 0)) : undefined}
        onUnread={membership && item.kind === 'TALK' && item.deletedAt === null ? onUnread : undefined}
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
        totalListHeightChanged={measureSoon}
        rangeChanged={({ startIndex }) => {
          measureSoon();
          if (startIndex - first < nearTop) void room.loadOlder();
        }}
      />
      {divider && isAbove && jumpedTo !== divider.after ? (
        <button type="button" className="button to-unread" onClick={() => void toFirstUnread(divider)}>
          <Icon name="up" />
          {words.toFirstUnread(shortly(divider.count))}
        </button>
      ) : null}
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
