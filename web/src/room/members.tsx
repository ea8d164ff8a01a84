// The members of a room. The owner adds and removes people. Everyone can start a direct conversation.

import { useState } from 'react';
import { type MemberFragment, OpenDirectRoomDocument, type PersonFragment, RemoveMemberDocument } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import { useAction } from '../parts/action.ts';
import { Avatar } from '../parts/avatar.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { Icon } from '../parts/icon.tsx';
import { Problem } from '../parts/problem.tsx';
import { openRoomAt } from '../route.ts';
import { useChat } from '../session/signed-in.ts';
import { AddPeople } from './add-people.tsx';
import type { OpenRoom } from './open-room.ts';
import type { Opened } from './room-state.ts';

export function Members({ opened, room }: { opened: Opened; room: OpenRoom }) {
  const words = useWords();
  const { api } = useChat();
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<PersonFragment>();
  const { run, busy, problem } = useAction();
  const { view, membership, moreMembersAfter } = opened;
  const { id, kind } = view.room;
  const canManage = membership?.role === 'OWNER' && kind !== 'DIRECT';
  const write = async (userId: string) => {
    const { openDirectRoom } = await api.mutate(OpenDirectRoomDocument, { userId });
    if (openDirectRoom) openRoomAt(openDirectRoom.room.id);
  };
  return (
    <>
      {moreMembersAfter === undefined ? <p className="quiet small">{words.memberCount(view.members.length)}</p> : null}
      {canManage ? (
        <button type="button" className="button" onClick={() => setAdding(true)}>
          <Icon name="add" />
          {words.addPeople}
        </button>
      ) : null}
      <Problem>{problem}</Problem>
      <ul className="people" aria-label={words.members}>
        {view.members.map((member) => (
          <MemberRow
            key={member.id}
            member={member}
            busy={busy}
            onWrite={kind === 'DIRECT' ? undefined : () => void run(() => write(member.user.id))}
            onRemove={canManage ? () => setRemoving(member.user) : undefined}
          />
        ))}
      </ul>
      {moreMembersAfter === undefined ? null : (
        <button type="button" className="button" disabled={busy} onClick={() => void run(() => room.loadMoreMembers())}>
          {words.moreMembers}
        </button>
      )}
      {adding ? <AddPeople roomId={id} members={view.members} onClose={() => setAdding(false)} /> : null}
      {removing ? (
        <Confirm
          action={words.remove}
          question={words.confirmRemove(removing.name)}
          onConfirm={() => api.mutate(RemoveMemberDocument, { roomId: id, userId: removing.id })}
          onClose={() => setRemoving(undefined)}
        />
      ) : null}
    </>
  );
}

interface RowProps {
  member: MemberFragment;
  busy: boolean;
  onWrite: (() => void) | undefined;
  onRemove: (() => void) | undefined;
}

function MemberRow({ member: { user, role }, busy, onWrite, onRemove }: RowProps) {
  const words = useWords();
  const { viewer } = useChat();
  const self = user.id === viewer.id;
  return (
    <li className="person">
      <Avatar {...user} />
      <span className="person-name">
        {user.name}
        <span className="quiet small">{[self ? words.you : '', role === 'OWNER' ? words.owner : ''].filter(Boolean).join(' · ')}</span>
      </span>
      {self || !onWrite ? null : (
        <button
          type="button"
          className="icon-button small"
          disabled={busy}
          aria-label={words.messagePerson(user.name)}
          title={words.messagePerson(user.name)}
          onClick={onWrite}
        >
          <Icon name="message" />
        </button>
      )}
      {self || !onRemove ? null : (
        <button
          type="button"
          className="icon-button small"
          aria-label={words.removePerson(user.name)}
          title={words.removePerson(user.name)}
          onClick={onRemove}
        >
          <Icon name="close" />
        </button>
      )}
    </li>
  );
}
