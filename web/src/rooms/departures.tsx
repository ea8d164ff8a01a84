// Tells of rooms that have left the list although the viewer did not leave them here.

import { useWords } from '../language.ts';
import { Icon } from '../parts/icon.tsx';
import { useChat } from '../session/signed-in.ts';
import { useStore } from '../store.ts';
import { titleOf } from './title.ts';

export function Departures({ roomId }: { roomId: string | undefined }) {
  const words = useWords();
  const { rooms } = useChat();
  // The page of the open room says it itself, unless the room can still be read.
  const departures = useStore(rooms.departures).filter(({ room }) => room.id !== roomId || room.kind === 'OPEN');
  return (
    <div role="status">
      {departures.map(({ room, reason }) => (
        <p key={room.id} className="departure">
          <span>{words.departed(reason, titleOf(room))}</span>
          <button
            type="button"
            className="icon-button small"
            aria-label={words.close}
            title={words.close}
            onClick={() => rooms.forgetDeparture(room.id)}
          >
            <Icon name="close" />
          </button>
        </p>
      ))}
    </div>
  );
}
