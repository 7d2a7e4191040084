// What keeps a node where it is.

export interface Obstacle {
  /** One sentence, without the node's name. */
  readonly message: string;
  /** Key of the pod that is in the way; absent when none is. */
  readonly blockedBy?: string;
}
