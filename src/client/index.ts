// `gapless/client`: the imports of a frontend, for every GraphQL library.

export type { Backoff } from './backoff.ts';
export { errorCode, isSignedOut, retryAfterMs } from './error-code.ts';
export type { ErrorCode } from './error-codes.ts';
export { type EventStreamOptions, eventStreams } from './event-streams.ts';
export { type Resumable, resumable } from './resumable.ts';
export type { DeletedNumber } from './room-count.ts';
export { applyRoomEvent, type RoomEventLike, type RoomView } from './room-view.ts';
export type { Payload, Result, Sink, Subscriber } from './subscriber.ts';
export type { ResumableOptions, ResumableSink, Status } from './subscription.ts';
export {
  addViewerPage,
  applyViewerEvent,
  applyViewerStatus,
  type FirstViewerPage,
  openViewerList,
  type UnreadTotals,
  type ViewerEventLike,
  type ViewerList,
  type ViewerPage,
} from './viewer-list.ts';
export type { ViewerMembershipLike, ViewerRoomLike } from './viewer-room.ts';
