// Users, the viewer, and the mutation signIn.

import { accountGone } from '../chat/gone-user.ts';
import { viewerIdOf } from '../storage/id.ts';
import { builder } from './builder.ts';
import { requireChanger } from './context.ts';
import { limits, visibleName } from './input.ts';
import { User } from './node.ts';

User.implement({
  description: 'A user.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Display name. Not necessarily unique.' }),
    avatarUrl: t.exposeString('avatarUrl', { nullable: true, description: 'URL of the picture. Null if there is none.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the server first saw the user.' }),
  }),
});

export const Viewer = builder.objectRef<{ userId: string }>('Viewer').implement({
  description: 'The signed-in person, as only they see themselves. Their rooms are rooms(filter: { joined: true }).',
  fields: (t) => ({
    id: t.id({
      description: 'viewer_…: an id of its own, never that of the user, because caches such as Relay’s hold one record per id.',
      resolve: ({ userId }) => viewerIdOf(userId),
    }),
    user: t.field({
      type: User,
      description: 'The viewer as everyone sees them. UNAUTHENTICATED once the account was erased.',
      resolve: async ({ userId }, _args, context) => {
        const user = await User.getDataloader(context).load(userId);
        if (!user) throw accountGone();
        return user;
      },
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: Viewer,
    nullable: true,
    description: 'The signed-in user. Null when the request carries no token; a bad token is an error (UNAUTHENTICATED).',
    resolve: (_query, _args, { viewer }) => viewer ?? null,
  }),
);

builder.relayMutationField(
  'signIn',
  {
    description: 'Input of signIn.',
    inputFields: (t) => ({
      name: t.string({
        required: true,
        description: `Display name, 1 to ${limits.userName} characters after normalization: NFKC, without invisible characters. Need not be unique. A name that is spelled differently and looks like that of another guest gets a short suffix.`,
        validate: visibleName(limits.userName),
      }),
    }),
  },
  {
    description: 'Guest mode only: a name is enough. Answers with a token and sets it as a cookie. FORBIDDEN in jwt mode.',
    resolve: async (_mutation, { input }, { identity, limits: rates, address, setCookie }) => {
      await rates.take('signIn', { address });
      const { token, viewer } = await identity.signIn(input.name);
      setCookie(token);
      return { token, viewer };
    },
  },
  {
    description: 'Payload of signIn.',
    outputFields: (t) => ({
      token: t.exposeString('token', {
        description:
          'Valid for 30 days. Send it in the header Authorization: Bearer …, or as authorization in the payload of connection_init.',
      }),
      viewer: t.expose('viewer', { type: Viewer, description: 'The signed-in user.' }),
    }),
  },
);

builder.relayMutationField(
  'createSession',
  {
    description: 'Input of createSession.',
    inputFields: (t) => ({
      setsCookie: t.boolean({
        required: true,
        defaultValue: false,
        description: 'Whether the token is set as a cookie, in place of the one that the browser has.',
      }),
    }),
  },
  {
    description:
      'Guest mode only: opens another session of the viewer, which signOut of the current one does not end. For a link with which a guest can come back: the token goes into its fragment, and the page calls createSession with that token. FORBIDDEN in jwt mode.',
    resolve: async (_mutation, { input }, context) => {
      const { token, viewer } = await context.identity.createSession(await requireChanger(context));
      if (input.setsCookie) context.setCookie(token);
      return { token, viewer };
    },
  },
  {
    description: 'Payload of createSession.',
    outputFields: (t) => ({
      token: t.exposeString('token', { description: 'Valid for 30 days. Whoever has it is the viewer.' }),
      viewer: t.expose('viewer', { type: Viewer, description: 'The signed-in user.' }),
    }),
  },
);
