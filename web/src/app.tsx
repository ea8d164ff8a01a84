// The root component: the sign-in page, or the list of rooms with the open room.

import { useLanguage, useWords } from './language.ts';
import { RoomPage } from './room/room-page.tsx';
import { Sidebar } from './rooms/sidebar.tsx';
import { Tab } from './rooms/tab.tsx';
import { openList, useRoomId } from './route.ts';
import { Recover } from './session/recover.tsx';
import { Replaced } from './session/replaced.tsx';
import type { Session } from './session/session.ts';
import { SignIn } from './session/sign-in.tsx';
import { ChatProvider } from './session/signed-in.ts';
import { useStore } from './store.ts';

export function App({ session }: { session: Session }) {
  const state = useStore(session.state);
  const words = useWords();
  const roomId = useRoomId();
  if (state.at === 'opening') {
    return (
      <main className="sign-in">
        <p role="status">{state.failing ? words.failing : words.opening}</p>
      </main>
    );
  }
  if (state.at === 'signedOut') return <SignIn session={session} ended={state.ended} />;
  if (state.at === 'recovering') return <Recover session={session} viewer={state.viewer} onConfirm={state.confirm} />;
  if (state.at === 'replaced') return <Replaced session={session} former={state.former} viewer={state.viewer} />;
  return (
    <ChatProvider value={state.chat}>
      <SkipLink />
      <Tab />
      <div className="app" data-screen={roomId === undefined ? 'list' : 'room'}>
        <Sidebar session={session} roomId={roomId} />
        <main className="main" id="main" tabIndex={-1}>
          {roomId === undefined ? <NoRoom /> : <RoomPage key={roomId} id={roomId} onLeave={openList} />}
        </main>
      </div>
    </ChatProvider>
  );
}

function SkipLink() {
  const words = useWords();
  return (
    // biome-ignore lint/a11y/useValidAnchor: it moves the focus and does not change the address
    <a
      className="skip"
      href="#main"
      onClick={(event) => {
        // The fragment of the address names the open room.
        event.preventDefault();
        document.getElementById('main')?.focus();
      }}
    >
      {words.skip}
    </a>
  );
}

function NoRoom() {
  const words = useWords();
  const language = useLanguage();
  return (
    <div className="empty" lang={language}>
      <h2>{words.pickRoom}</h2>
      <p>{words.pickRoomHint}</p>
    </div>
  );
}
