// Asks, and leaves a tombstone.

import { DeleteMessageDocument, type ShownMessageFragment } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import { Confirm } from '../parts/confirm.tsx';
import { useChat } from '../session/signed-in.ts';

export function DeleteMessage({ message, onClose }: { message: ShownMessageFragment; onClose: () => void }) {
  const words = useWords();
  const { api, rooms } = useChat();
  const remove = async () => {
    await api.mutate(DeleteMessageDocument, { messageId: message.id });
    rooms.refresh();
  };
  return <Confirm action={words.delete} question={words.confirmDelete} onConfirm={remove} onClose={onClose} />;
}
