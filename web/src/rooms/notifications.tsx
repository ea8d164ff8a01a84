// The switch for notifications of the browser.

import { useWords } from '../language.ts';
import { useChat } from '../session/signed-in.ts';
import { useStore } from '../store.ts';

export function Notifications() {
  const words = useWords();
  const { notifier } = useChat().rooms;
  const state = useStore(notifier.state);
  return (
    <div className="field">
      <span>{words.notifications}</span>
      {state === 'unavailable' ? (
        <p className="quiet small">{words.notificationsUnavailable}</p>
      ) : (
        <div className="row">
          <button type="button" className="button" onClick={() => (state === 'on' ? notifier.turnOff() : void notifier.turnOn())}>
            {state === 'on' ? words.turnOff : words.turnOn}
          </button>
          <p className="quiet small">{words.notificationsHint}</p>
        </div>
      )}
    </div>
  );
}
