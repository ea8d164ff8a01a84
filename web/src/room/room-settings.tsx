// The dialog in which the owner changes or deletes a room. A direct room can only be deleted.

import { type FormEvent, useState } from 'react';
import { DeleteRoomDocument, type RoomHeadFragment, UpdateRoomDocument } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import { useAction } from '../parts/action.ts';
import { Confirm } from '../parts/confirm.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Problem } from '../parts/problem.tsx';
import { useChat } from '../session/signed-in.ts';

export function RoomSettings({ room, onClose }: { room: RoomHeadFragment; onClose: () => void }) {
  const words = useWords();
  const { api, rooms } = useChat();
  const [name, setName] = useState(room.name);
  const [description, setDescription] = useState(room.description ?? '');
  const [deleting, setDeleting] = useState(false);
  const { run, busy, problem } = useAction();
  const save = async () => {
    const input = { roomId: room.id, name: name.trim(), description: description.trim() || null };
    await api.mutate(UpdateRoomDocument, { input });
    onClose();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== '') void run(save);
  };
  // The page reacts to the RoomDeleted event.
  const remove = () => {
    rooms.expectDeparture(room.id);
    return api.mutate(DeleteRoomDocument, { roomId: room.id });
  };
  if (deleting) {
    return <Confirm action={words.deleteRoom} question={words.confirmDeleteRoom} onConfirm={remove} onClose={onClose} />;
  }
  return (
    <Dialog title={words.roomSettings} onClose={onClose}>
      <form onSubmit={submit}>
        {room.kind === 'DIRECT' ? null : (
          <>
            <label className="field">
              <span>{words.name}</span>
              <input data-first required maxLength={100} value={name} onChange={({ target }) => setName(target.value)} />
            </label>
            <label className="field">
              <span>
                {words.description} <span className="quiet">({words.optional})</span>
              </span>
              <textarea rows={3} maxLength={1000} value={description} onChange={({ target }) => setDescription(target.value)} />
            </label>
          </>
        )}
        <Problem>{problem}</Problem>
        <div className="dialog-actions">
          <button type="button" className="button danger quiet-button" onClick={() => setDeleting(true)}>
            {words.deleteRoom}
          </button>
          {room.kind === 'DIRECT' ? null : (
            <button type="submit" className="button primary" disabled={busy}>
              {words.save}
            </button>
          )}
        </div>
      </form>
    </Dialog>
  );
}
