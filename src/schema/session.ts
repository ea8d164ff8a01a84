// The mutations that end and renew sessions: signOut, signOutEverywhere and renewToken.

import { badInput } from '../errors.ts';
import { builder } from './builder.ts';
import { requireChanger, requireSession } from './context.ts';

builder.relayMutationField(
  'signOut',
  null,
  {
    description:
      'Ends the session of the token on every node within a second, or within 6 seconds while Redis is away: its sockets close with 4403, its event streams end with UNAUTHENTICATED, and the token is refused. Clears the cookie. Does nothing else without a token.',
    resolve: async (_mutation, _args, context) => {
      const { viewer, identity } = context;
      if (viewer) await identity.signOut(viewer);
      context.setCookie(null);
      return { signedOut: true };
    },
  },
  {
    description: 'Payload of signOut.',
    outputFields: (t) => ({ signedOut: t.exposeBoolean('signedOut', { description: 'Always true.' }) }),
  },
);

builder.relayMutationField(
  'signOutEverywhere',
  null,
  {
    description:
      'Ends every other session of the viewer on every node within a second, or within 6 seconds while Redis is away: their sockets close with 4403, their tokens are refused. The old token of this session, and copies of it, end as well if it is issued anew.',
    resolve: async (_mutation, _args, context) => {
      await requireChanger(context);
      const token = await context.identity.signOutEverywhere(requireSession(context));
      if (token !== null) {
        context.setCookie(token);
        await context.renewToken?.(token);
      }
      return { token };
    },
  },
  {
    description: 'Payload of signOutEverywhere.',
    outputFields: (t) => ({
      token: t.exposeString('token', {
        nullable: true,
        description:
          'The token of this session, issued anew and set as the cookie. Over WebSocket, this connection continues with it. Null in jwt mode: the current token stays valid.',
      }),
    }),
  },
);

builder.relayMutationField(
  'renewToken',
  {
    description: 'Input of renewToken.',
    inputFields: (t) => ({ token: t.string({ required: true, description: 'The new token, without Bearer.' }) }),
  },
  {
    description:
      'Over WebSocket: continues this connection with a new token of the same user; its subscriptions go on untouched. BAD_USER_INPUT elsewhere, UNAUTHENTICATED for a bad token, FORBIDDEN for a token of another user.',
    resolve: async (_mutation, { input }, context) => {
      if (!context.renewToken) throw badInput('renewToken continues a WebSocket: send the new token with the next request instead.');
      return await context.renewToken(input.token);
    },
  },
  {
    description: 'Payload of renewToken.',
    outputFields: (t) => ({
      expiresAt: t.expose('expiresAt', {
        type: 'DateTime',
        description: 'When the new token expires. The connection closes with 4403 then.',
      }),
    }),
  },
);
