// A viewer without a token, for tests below the transport.

import type { Viewer } from '../../src/chat/identity.ts';

export const viewerOf = (userId: string, expiresAt = new Date(Date.now() + 1e9)): Viewer => ({
  userId,
  expiresAt,
  session: { subject: userId, id: `session of ${userId}`, issuedAt: 0 },
});
