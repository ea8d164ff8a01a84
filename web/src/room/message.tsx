// One message, or the notice that someone joined, left or deleted it.

import { memo } from 'react';
import type { ShownMessageFragment } from '../gql/graphql.ts';
import { useLanguage, useWords } from '../language.ts';
import { Avatar } from '../parts/avatar.tsx';
import { Icon } from '../parts/icon.tsx';
import { Text } from '../parts/text.tsx';
import { dayOf, isSameDay, momentOf, timeOf } from '../times.ts';
import { noticeOf } from './notice.ts';

interface Props {
  message: ShownMessageFragment;
  /** The message before it. Undefined for the first one. */
  before: ShownMessageFragment | undefined;
  own: boolean;
  /** The text of the divider before it: how many messages are new. */
  divider: string | undefined;
  /** Undefined if the viewer is not a member. */
  onUnread: ((message: ShownMessageFragment) => void) | undefined;
  /** Undefined if the viewer may not edit it. `onDelete` likewise. */
  onEdit: ((message: ShownMessageFragment) => void) | undefined;
  onDelete: ((message: ShownMessageFragment) => void) | undefined;
}

/** Consecutive messages of one person within this time form a group. */
const groupWithinMs = 5 * 60_000;

export const Message = memo(function Message({ message, before, own, divider, onUnread, onEdit, onDelete }: Props) {
  const words = useWords();
  const language = useLanguage();
  const { number, body, sender, createdAt, editedAt, kind, deletedAt } = message;
  const name = sender?.name ?? words.someone;
  const notice = noticeOf(message, words);
  const continues = before !== undefined && isGrouped(before, message);
  const day = before === undefined || !isSameDay(before.createdAt, createdAt) ? dayOf(createdAt, language) : undefined;
  if (kind !== 'TALK') {
    return (
      <>
        <Day>{day}</Day>
        <article className="notice" data-number={number} aria-label={notice}>
          {notice} <time dateTime={createdAt}>{timeOf(createdAt, language)}</time>
        </article>
      </>
    );
  }
  return (
    <>
      <Day>{day}</Day>
      {divider === undefined ? null : <p className="divider">{divider}</p>}
      <article
        className="message"
        data-number={number}
        data-own={own}
        data-continues={continues}
        aria-label={words.saidBy(name, notice ?? body ?? '')}
      >
        {own || continues ? null : <Avatar id={sender?.id ?? ''} name={name} />}
        {own || continues ? null : <span className="message-sender">{name}</span>}
        <div className="message-line">
          <p className="bubble" dir="auto" data-deleted={deletedAt !== null}>
            {notice ?? <Text>{body ?? ''}</Text>}
            <span className="message-meta">
              {editedAt !== null && deletedAt === null ? <span>{words.edited}</span> : null}
              <time dateTime={createdAt} title={momentOf(createdAt, language)}>
                {timeOf(createdAt, language)}
              </time>
            </span>
          </p>
          {onUnread || onEdit || onDelete ? (
            <div className="message-actions">
              {onUnread ? (
                <button
                  type="button"
                  className="icon-button small"
                  aria-label={words.markUnread}
                  title={words.markUnread}
                  onClick={() => onUnread(message)}
                >
                  <Icon name="unread" />
                </button>
              ) : null}
              {onEdit ? (
                <button
                  type="button"
                  className="icon-button small"
                  aria-label={words.edit}
                  title={words.edit}
                  onClick={() => onEdit(message)}
                >
                  <Icon name="edit" />
                </button>
              ) : null}
              {onDelete ? (
                <button
                  type="button"
                  className="icon-button small"
                  aria-label={words.delete}
                  title={words.delete}
                  onClick={() => onDelete(message)}
                >
                  <Icon name="delete" />
                </button>
              ) : null}
            </div>
          ) : null}
        </div>
      </article>
    </>
  );
});

const Day = ({ children }: { children: string | undefined }) =>
  children === undefined ? null : (
    <p className="day">
      <span>{children}</span>
    </p>
  );

/** Whether a message belongs to the group of the message before it. */
export const isGrouped = (
  before: ShownMessageFragment,
  { sender, createdAt }: Pick<ShownMessageFragment, 'sender' | 'createdAt'>,
): boolean =>
  before.kind === 'TALK' &&
  before.sender?.id === sender?.id &&
  isSameDay(before.createdAt, createdAt) &&
  Date.parse(createdAt) - Date.parse(before.createdAt) < groupWithinMs;
