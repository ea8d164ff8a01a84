// Asks for confirmation before an action that cannot be undone.

import { useWords } from '../language.ts';
import { useAction } from './action.ts';
import { Dialog } from './dialog.tsx';
import { Problem } from './problem.tsx';

interface Props {
  /** Label of the button that confirms. */
  action: string;
  question: string;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}

export function Confirm({ action, question, onConfirm, onClose }: Props) {
  const words = useWords();
  const { run, busy, problem } = useAction();
  const confirm = async () => {
    if (await run(onConfirm)) onClose();
  };
  return (
    <Dialog title={action} onClose={onClose}>
      <p>{question}</p>
      <Problem>{problem}</Problem>
      <div className="dialog-actions">
        <button type="button" data-first className="button" onClick={onClose}>
          {words.cancel}
        </button>
        <button type="button" className="button danger" disabled={busy} onClick={() => void confirm()}>
          {action}
        </button>
      </div>
    </Dialog>
  );
}
