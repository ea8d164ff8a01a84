// Replaces the composer for a viewer who is not a member of an open room.

import { JoinRoomDocument } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import { useAction } from '../parts/action.ts';
import { Problem } from '../parts/problem.tsx';
import { useChat } from '../session/signed-in.ts';
import type { OpenRoom } from './open-room.ts';

export function JoinBar({ room, roomId }: { room: OpenRoom; roomId: string }) {
  const words = useWords();
  const { api, rooms } = useChat();
  const { run, busy, problem } = useAction();
  const join = async () => {
    const { joinRoom } = await api.mutate(JoinRoomDocument, { roomId });
    if (joinRoom) room.joined(joinRoom.membership);
    rooms.refresh();
  };
  return (
    <div className="join-bar">
      <p className="quiet">{words.joinHint}</p>
      <Problem>{problem}</Problem>
      <button type="button" className="button primary" disabled={busy} onClick={() => void run(join)}>
        {words.join}
      </button>
    </div>
  );
}
