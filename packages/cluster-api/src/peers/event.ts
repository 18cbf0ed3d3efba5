import type { NodeId } from '@metad/raft-core';

/** Which end opened a connection: `dialled` is this node's doing, `accepted` the peer's. */
export type LinkDirection = 'dialled' | 'accepted';

/** What happens to peer connections, for the log and the metrics. Reasons are one line, and safe to print. */
export type PeerEvent =
  | {
      readonly type: 'linkOpened';
      readonly node: NodeId;
      readonly direction: LinkDirection;
      readonly remote: string;
      /** The version of the peer protocol that both ends have agreed on. */
      readonly protocol: number;
    }
  | {
      readonly type: 'linkClosed';
      readonly node: NodeId;
      readonly direction: LinkDirection;
      readonly reason: string;
    }
  /** One end does not want the other. `node` is null when the dialler did not say who it is. */
  | {
      readonly type: 'linkRefused';
      readonly node: NodeId | null;
      readonly direction: LinkDirection;
      readonly remote: string;
      readonly reason: string;
    }
  /** Nobody there, or no answer in time. Comes once per attempt. */
  | { readonly type: 'dialFailed'; readonly node: NodeId; readonly remote: string; readonly reason: string }
  /** The peer sent what the protocol does not know; its connection is closed. */
  | { readonly type: 'frameRejected'; readonly node: NodeId; readonly reason: string }
  /** Raft will send their like again. */
  | {
      readonly type: 'messagesDropped';
      readonly node: NodeId;
      readonly count: number;
      readonly reason: 'queueFull' | 'tooLarge';
    };
