// Users, the viewer, and signing in and out.

import { builder } from './builder.ts';
import { limits, line } from './input.ts';
import { User } from './node.ts';

User.implement({
  description: 'A person.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What to call them. Need not be unique.' }),
    avatarUrl: t.exposeString('avatarUrl', { nullable: true, description: 'Where their picture is, if they have one.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When they were first seen.' }),
  }),
});

const Viewer = builder.objectRef<{ userId: string }>('Viewer').implement({
  description: 'The signed-in person, as only they see themselves. Their rooms are rooms(filter: { joined: true }).',
  fields: (t) => ({
    id: t.id({
      description: 'viewer_…: an id of its own, never that of the user, because caches such as Relay’s hold one record per id.',
      resolve: ({ userId }) => userId.replace(/^user_/, 'viewer_'),
    }),
    user: t.field({ type: User, description: 'The viewer as everyone sees them.', resolve: ({ userId }) => userId }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: Viewer,
    nullable: true,
    description: 'Who is signed in. Null when the request carries no token; a bad token is an error (UNAUTHENTICATED).',
    resolve: (_query, _args, { viewer }) => viewer ?? null,
  }),
);

builder.relayMutationField(
  'signIn',
  {
    description: 'Who signs in.',
    inputFields: (t) => ({
      name: t.string({
        required: true,
        description: `What to be called, 1 to ${limits.userName} characters. Need not be unique.`,
        validate: line(limits.userName),
      }),
    }),
  },
  {
    description: 'Guest mode only: a name is enough. Answers with a token and sets it as a cookie. FORBIDDEN in jwt mode.',
    resolve: async (_mutation, { input }, { identity, setCookie }) => {
      const { token, viewer } = await identity.signIn(input.name.trim());
      setCookie(token);
      return { token, viewer };
    },
  },
  {
    description: 'What signIn answers.',
    outputFields: (t) => ({
      token: t.exposeString('token', {
        description:
          'Signs its bearer in for 30 days: in the header Authorization: Bearer …, or as authorization in the payload of connection_init.',
      }),
      viewer: t.expose('viewer', { type: Viewer, description: 'Who is signed in now.' }),
    }),
  },
);

builder.relayMutationField(
  'signOut',
  null,
  {
    description: 'Clears the cookie. A token that was copied elsewhere holds until it expires.',
    resolve: (_mutation, _args, { setCookie }) => {
      setCookie(null);
      return { signedOut: true };
    },
  },
  {
    description: 'What signOut answers.',
    outputFields: (t) => ({ signedOut: t.exposeBoolean('signedOut', { description: 'True.' }) }),
  },
);
