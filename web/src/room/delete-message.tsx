// Asks for confirmation and deletes a message. A tombstone stays.

import { DeleteMessageDocument, type ShownMessageFragment } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import { Confirm } from '../parts/confirm.tsx';
import { useChat } from '../session/signed-in.ts';

interface Props {
  message: ShownMessageFragment;
  onDeleted: () => void;
  onClose: () => void;
}

export function DeleteMessage({ message, onDeleted, onClose }: Props) {
  const words = useWords();
  const { api } = useChat();
  const remove = async () => {
    await api.mutate(DeleteMessageDocument, { messageId: message.id });
    onDeleted();
  };
  return <Confirm action={words.delete} question={words.confirmDelete} onConfirm={remove} onClose={onClose} />;
}
