// The page of one room: header, messages, composer and members.

import { useEffect, useState } from 'react';
import type { RoomRemovalReason, ShownMessageFragment } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import { Dialog } from '../parts/dialog.tsx';
import { useMedia } from '../parts/media.ts';
import { openTitle } from '../rooms/tab.tsx';
import { titleOf } from '../rooms/title.ts';
import { useChat } from '../session/signed-in.ts';
import { useStore } from '../store.ts';
import type { Words } from '../words.ts';
import { Announcer } from './announcer.tsx';
import { Composer } from './composer.tsx';
import { DeleteMessage } from './delete-message.tsx';
import { EditComposer } from './edit-composer.tsx';
import { JoinBar } from './join-bar.tsx';
import { Members } from './members.tsx';
import { MessageList } from './message-list.tsx';
import { lastEditable } from './message-rights.ts';
import { OpenRoom } from './open-room.ts';
import { RoomHeader } from './room-header.tsx';

const threeColumns = '(min-width: 1080px)';

export function RoomPage({ id, onLeave }: { id: string; onLeave: () => void }) {
  const words = useWords();
  const chat = useChat();
  const [room] = useState(() => new OpenRoom(chat, id));
  useEffect(() => {
    room.open();
    return () => room.close();
  }, [room]);
  const state = useStore(room.state);
  const wide = useMedia(threeColumns);
  const [membersShown, setMembersShown] = useState(wide);
  useEffect(() => setMembersShown(wide), [wide]);
  const [editing, setEditing] = useState<ShownMessageFragment>();
  const [deleting, setDeleting] = useState<ShownMessageFragment>();
  const [edits, setEdits] = useState(0);
  const title = state.at === 'open' ? titleOf(state.view.room) : undefined;
  useTitle(title);
  const departed = useStore(chat.rooms.departures).find((departure) => departure.room.id === id)?.reason;

  if (state.at === 'gone') {
    return (
      <div className="empty">
        <p role="alert">{goneText(departed ?? (state.why === 'deleted' ? 'DELETED' : undefined), words)}</p>
        <button
          type="button"
          className="button primary"
          onClick={() => {
            chat.rooms.forgetDeparture(id);
            onLeave();
          }}
        >
          {words.toRooms}
        </button>
      </div>
    );
  }
  if (state.at === 'opening' || title === undefined) {
    return (
      <div className="empty">
        <p role="status">{state.at === 'opening' && state.failing ? words.failing : words.openingRoom}</p>
        <button type="button" className="button narrow-only" onClick={onLeave}>
          {words.toRooms}
        </button>
      </div>
    );
  }
  const { view, membership } = state;
  const viewerId = chat.viewer.id;
  const editLast = () => setEditing(lastEditable(view.messages, viewerId));
  const stopEditing = () => {
    setEditing(undefined);
    setEdits((count) => count + 1);
  };
  const members = <Members opened={state} room={room} />;
  return (
    <div className="room">
      <div className="room-main">
        <RoomHeader
          opened={state}
          title={title}
          membersShown={membersShown}
          onMembers={() => setMembersShown(!membersShown)}
          onBack={onLeave}
          onLeft={onLeave}
        />
        <MessageList key={state.opening} opened={state} room={room} onEdit={setEditing} onDelete={setDeleting} />
        {membership === undefined ? <JoinBar room={room} roomId={id} /> : null}
        {membership && editing ? <EditComposer key={editing.id} message={editing} onDone={stopEditing} /> : null}
        {membership && !editing ? <Composer roomId={id} title={title} focus={edits > 0} onEditLast={editLast} /> : null}
      </div>
      {membersShown && wide ? (
        <aside className="members" aria-label={words.members}>
          <h3>{words.members}</h3>
          {members}
        </aside>
      ) : null}
      {membersShown && !wide ? (
        <Dialog title={words.members} onClose={() => setMembersShown(false)}>
          {members}
        </Dialog>
      ) : null}
      {deleting ? <DeleteMessage message={deleting} onDeleted={focusMessages} onClose={() => setDeleting(undefined)} /> : null}
      <Announcer messages={view.messages} viewerId={viewerId} />
    </div>
  );
}

const goneText = (reason: RoomRemovalReason | undefined, words: Words) =>
  reason === undefined ? words.unseenRoom : { LEFT: words.leftRoom, REMOVED: words.removedRoom, DELETED: words.deletedRoom }[reason];

/** Moves the focus to the list: the button that had it disappears with the message. */
function focusMessages(): void {
  setTimeout(() => document.querySelector<HTMLElement>('[role="log"]')?.focus({ preventScroll: true }), 100);
}

function useTitle(title: string | undefined): void {
  useEffect(() => {
    openTitle.set(title);
    return () => openTitle.set(undefined);
  }, [title]);
}
