// The header of a room: title, kind, connection status, and buttons for members, settings and leaving.

import { useState } from 'react';
import { LeaveRoomDocument, type RoomHeadFragment } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import { useAction } from '../parts/action.ts';
import { Confirm } from '../parts/confirm.tsx';
import { Icon } from '../parts/icon.tsx';
import { isMuted } from '../rooms/muted.ts';
import { useChat } from '../session/signed-in.ts';
import { useStore } from '../store.ts';
import type { Words } from '../words.ts';
import { RoomSettings } from './room-settings.tsx';
import type { Opened } from './room-state.ts';

interface Props {
  opened: Opened;
  title: string;
  membersShown: boolean;
  onMembers: () => void;
  onBack: () => void;
  onLeft: () => void;
}

export function RoomHeader({ opened, title, membersShown, onMembers, onBack, onLeft }: Props) {
  const words = useWords();
  const { api, rooms } = useChat();
  const [dialog, setDialog] = useState<'settings' | 'leave'>();
  const { view, membership } = opened;
  const { id, kind, description } = view.room;
  const listed = useStore(rooms.mine.list)?.rooms.find((room) => room.id === id);
  const { run, busy } = useAction();
  const close = () => setDialog(undefined);
  const leave = async () => {
    rooms.expectDeparture(id);
    await api.mutate(LeaveRoomDocument, { roomId: id });
    onLeft();
  };
  return (
    <header className="room-head">
      <button type="button" className="icon-button narrow-only" aria-label={words.back} onClick={onBack}>
        <Icon name="back" />
      </button>
      <div className="room-head-text">
        <h2>{title}</h2>
        <p className="quiet small">
          <Connection opened={opened} />
          <span>{kindOf(view.room, words)}</span>
          {description ? <span className="room-description">{description}</span> : null}
        </p>
      </div>
      <button
        type="button"
        className="icon-button"
        aria-label={words.members}
        title={words.members}
        aria-expanded={membersShown}
        onClick={onMembers}
      >
        <Icon name="members" />
      </button>
      {listed?.viewerMembership ? (
        <button
          type="button"
          className="icon-button"
          aria-label={words.mute}
          title={words.mute}
          aria-pressed={isMuted(listed.viewerMembership)}
          disabled={busy}
          onClick={() => void run(() => rooms.mute(listed))}
        >
          <Icon name={isMuted(listed.viewerMembership) ? 'muted' : 'notify'} />
        </button>
      ) : null}
      {membership && (membership.role === 'OWNER' || kind === 'DIRECT') ? (
        <button
          type="button"
          className="icon-button"
          aria-label={words.roomSettings}
          title={words.roomSettings}
          onClick={() => setDialog('settings')}
        >
          <Icon name="settings" />
        </button>
      ) : null}
      {membership && kind !== 'DIRECT' ? (
        <button type="button" className="icon-button" aria-label={words.leave} title={words.leave} onClick={() => setDialog('leave')}>
          <Icon name="leave" />
        </button>
      ) : null}
      {dialog === 'settings' ? <RoomSettings room={view.room} onClose={close} /> : null}
      {dialog === 'leave' ? (
        <Confirm
          action={words.leave}
          question={kind === 'PRIVATE' ? words.confirmLeavePrivate : words.confirmLeave}
          onConfirm={leave}
          onClose={close}
        />
      ) : null}
    </header>
  );
}

function Connection({ opened: { status, wasLive } }: { opened: Opened }) {
  const words = useWords();
  const said = {
    connecting: wasLive ? words.reconnecting : words.connecting,
    lagging: words.lagging,
    expired: words.lagging,
    signedOut: words.lagging,
    refused: words.lagging,
    live: words.live,
  };
  return (
    <output className="connection" data-status={status}>
      {said[status]}
    </output>
  );
}

const kindOf = ({ kind }: RoomHeadFragment, words: Words) =>
  ({ OPEN: words.openRoom, PRIVATE: words.privateRoom, DIRECT: words.directRoom })[kind];
