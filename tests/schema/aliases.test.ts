// A field under many names: up to 15 are accepted, wherever they are selected, and more are refused before the operation runs.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { maxNames } from '../../src/schema/aliases.ts';
import { parseDocument, validateDocument } from '../../src/transport/documents.ts';
import { range } from '../support/storage.ts';

const aliased = (from: number, to: number, field: string) =>
  range(from, to)
    .map((i) => `a${i}: ${field}`)
    .join(' ');
const inMessages = (selection: string) => `query ($id: ID!) { room(id: $id) { messages(first: 100) { nodes { ${selection} } } } }`;
const ofEvents = (selection: string) => `subscription ($id: ID!) { roomEvents(roomId: $id) { ${selection} } }`;

const accepted = {
  'as many names as are allowed': inMessages(aliased(1, maxNames, 'body')),
  'the same name many times': inMessages(Array(200).fill('body').join(' ')),
  'the same names in a fragment and beside it': `${inMessages(`${aliased(1, maxNames, 'body')} ...F`)} fragment F on Message { ${aliased(1, maxNames, 'body')} }`,
  'the same field of different objects': inMessages(`${aliased(1, 10, 'body')} room { lastMessage { ${aliased(11, 20, 'body')} } }`),
  'different fields': inMessages(`${aliased(1, maxNames, 'body')} ${aliased(21, 35, 'number')}`),
  'fields of different types of events': ofEvents(
    `... on MessageAdded { ${aliased(1, 10, 'message { id }')} } ... on MessageEdited { ${aliased(11, 20, 'message { id }')} }`,
  ),
};

const refused: Record<string, [string, string]> = {
  'more names than are allowed': [inMessages(aliased(1, maxNames + 1, 'body')), 'Message.body'],
  'hundreds of names': [inMessages(aliased(1, 480, 'body')), 'Message.body'],
  'names of __typename': [inMessages(aliased(1, 16, '__typename')), 'Message.__typename'],
  'names in a fragment and beside it': [
    `${inMessages(`${aliased(1, 8, 'body')} ...F`)} fragment F on Message { ${aliased(9, 16, 'body')} }`,
    'Message.body',
  ],
  'names in fragments of fragments': [
    `${inMessages('...F')} fragment F on Message { ${aliased(1, 8, 'body')} ...G } fragment G on Message { ${aliased(9, 16, 'body')} }`,
    'Message.body',
  ],
  'names in inline fragments': [
    inMessages(`... { ${aliased(1, 8, 'body')} } ... on Message @include(if: true) { ${aliased(9, 16, 'body')} }`),
    'Message.body',
  ],
  'names in two selections of the same object': [
    'query ($id: ID!) { ' +
      `room(id: $id) { lastMessage { ${aliased(1, 8, 'body')} } } room(id: $id) { lastMessage { ${aliased(9, 16, 'body')} } } }`,
    'Message.body',
  ],
  'names in an interface and in a type of it': [
    ofEvents(`${aliased(1, 8, 'cursor')} ... on MessageAdded { ${aliased(9, 16, 'cursor')} }`),
    'MessageAdded.cursor',
  ],
  'names of an interface in a type of it': [
    ofEvents(`... on MessageAdded { ... on RoomEvent { ${aliased(1, 16, 'cursor')} } }`),
    '\\w+.cursor',
  ],
  'names of a field of the query': [`{ ${aliased(1, 90, 'rooms(filter: { nameContains: "x" }) { nodes { id } }')} }`, 'Query.rooms'],
  'names of a field of the query with different arguments': [
    `{ ${range(1, 16)
      .map((i) => `a${i}: room(id: "room_${i}") { id }`)
      .join(' ')} }`,
    'Query.room',
  ],
  'a mutation under 120 names': [`mutation { ${aliased(1, 120, 'signIn(input: { name: "x" }) { token }')} }`, 'Mutation.signIn'],
  'a mutation in a fragment': [
    `mutation { ...F } fragment F on Mutation { ${aliased(1, 16, 'signIn(input: { name: "x" }) { token }')} }`,
    'Mutation.signIn',
  ],
  'an operation that is not the first': [`query A { viewer { id } } query B { ${aliased(1, 16, 'viewer { id }')} }`, 'Query.viewer'],
};

describe('a field under many names', () => {
  for (const [what, query] of Object.entries(accepted)) {
    it(`is accepted: ${what}`, () => assert.deepEqual(validateDocument(parseDocument(query)), []));
  }
  for (const [what, [query, field]] of Object.entries(refused)) {
    it(`is refused: ${what}`, () => {
      const [error] = validateDocument(parseDocument(query));
      assert.match(error?.message ?? '', new RegExp(`^${field} is selected under \\d+ names\\. The limit is 15`));
    });
  }
});

describe('fragments', () => {
  it('that expand to any number of selections are refused at once', () => {
    const levels = 18;
    const fragments = range(1, levels).map((i) => `fragment F${i} on Room { lastMessage { ${aliased(1, 10, `room { ...F${i + 1} }`)} } }`);
    const query = `query ($id: ID!) { room(id: $id) { ...F1 } } ${fragments.join(' ')} fragment F${levels + 1} on Room { id }`;
    const startMs = performance.now();
    const [error] = validateDocument(parseDocument(query));
    assert.match(error?.message ?? '', /expands to more than 20000 selections/);
    assert.ok(performance.now() - startMs < 1000);
  });

  it('that spread themselves are refused', () => {
    const query = 'query ($id: ID!) { room(id: $id) { ...F } } fragment F on Room { lastMessage { room { ...F } } }';
    assert.ok(validateDocument(parseDocument(query)).length > 0);
  });
});
