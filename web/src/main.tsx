// The entry point of the page: opens the session and renders the app.

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { keepLanguage } from './language.ts';
import { Session } from './session/session.ts';
import './styles/base.css';
import './styles/controls.css';
import './styles/dialog.css';
import './styles/layout.css';
import './styles/rooms.css';
import './styles/room.css';
import './styles/messages.css';

keepLanguage();
const session = new Session();
createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <App session={session} />
  </StrictMode>,
);
