// One message as it stands in the room, or the note that someone came, went, or took it back.

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
  /** The one in front of it. Undefined for the first. */
  before: ShownMessageFragment | undefined;
  own: boolean;
  /** Undefined where the viewer may not. */
  onEdit: ((message: ShownMessageFragment) => void) | undefined;
  onDelete: ((message: ShownMessageFragment) => void) | undefined;
}

/** What one person says within this time stands together. */
const togetherMs = 5 * 60_000;

export const Message = memo(function Message({ message, before, own, onEdit, onDelete }: Props) {
  const words = useWords();
  const language = useLanguage();
  const { number, body, sender, createdAt, editedAt, kind, deletedAt } = message;
  const name = sender?.name ?? words.someone;
  const notice = noticeOf(message, words);
  const goesOn = before !== undefined && isTogether(before, message);
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
      <article
        className="message"
        data-number={number}
        data-own={own}
        data-goes-on={goesOn}
        aria-label={words.saidBy(name, notice ?? body ?? '')}
      >
        {own || goesOn ? null : <Avatar id={sender?.id ?? ''} name={name} />}
        {own || goesOn ? null : <span className="message-sender">{name}</span>}
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
          {onEdit || onDelete ? (
            <div className="message-actions">
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

/** Whether one message goes on with what the other began. */
export const isTogether = (
  before: ShownMessageFragment,
  { sender, createdAt }: Pick<ShownMessageFragment, 'sender' | 'createdAt'>,
): boolean =>
  before.kind === 'TALK' &&
  before.sender?.id === sender?.id &&
  isSameDay(before.createdAt, createdAt) &&
  Date.parse(createdAt) - Date.parse(before.createdAt) < togetherMs;
