import { type AckFrame, type AckFrequency, type CloseFrame, FRAME, type FrameSink } from "#transport/frames.js";

export type SeenFrame =
  | { readonly kind: "ack"; readonly frame: AckFrame }
  | {
      readonly kind: "stream";
      readonly id: number;
      readonly offset: number;
      readonly data: Uint8Array;
      readonly fin: boolean;
    }
  | { readonly kind: "crypto"; readonly offset: number; readonly data: Uint8Array }
  | { readonly kind: "datagram"; readonly data: Uint8Array }
  | { readonly kind: "close"; readonly frame: CloseFrame }
  | { readonly kind: "path"; readonly type: number; readonly token: Uint8Array }
  | {
      readonly kind: "newCid";
      readonly sequence: number;
      readonly retirePrior: number;
      readonly cid: Uint8Array;
      readonly token: Uint8Array;
    }
  | { readonly kind: "numbers"; readonly type: number; readonly values: readonly number[] };

/** Writes down every frame that `parseFrames` finds. PING and PADDING have no listener. */
export class RecordingSink implements FrameSink {
  readonly frames: SeenFrame[] = [];

  onAck(frame: AckFrame): void {
    this.frames.push({ kind: "ack", frame });
  }
  onResetStream(id: number, code: number, finalSize: number): void {
    this.#numbers(FRAME.RESET_STREAM, id, code, finalSize);
  }
  onStopSending(id: number, code: number): void {
    this.#numbers(FRAME.STOP_SENDING, id, code);
  }
  onCrypto(offset: number, data: Uint8Array): void {
    this.frames.push({ kind: "crypto", offset, data: data.slice() });
  }
  onStream(id: number, offset: number, data: Uint8Array, fin: boolean): void {
    this.frames.push({ kind: "stream", id, offset, data: data.slice(), fin });
  }
  onDataBlocked(stream: number | undefined, limit: number): void {
    if (stream === undefined) this.#numbers(FRAME.DATA_BLOCKED, limit);
    else this.#numbers(FRAME.STREAM_DATA_BLOCKED, stream, limit);
  }
  onStreamsBlocked(unidirectional: boolean, limit: number): void {
    this.#numbers(unidirectional ? FRAME.STREAMS_BLOCKED_UNI : FRAME.STREAMS_BLOCKED_BIDI, limit);
  }
  onMaxData(limit: number): void {
    this.#numbers(FRAME.MAX_DATA, limit);
  }
  onMaxStreamData(id: number, limit: number): void {
    this.#numbers(FRAME.MAX_STREAM_DATA, id, limit);
  }
  onMaxStreams(unidirectional: boolean, limit: number): void {
    this.#numbers(unidirectional ? FRAME.MAX_STREAMS_UNI : FRAME.MAX_STREAMS_BIDI, limit);
  }
  onNewConnectionId(sequence: number, retirePrior: number, cid: Uint8Array, token: Uint8Array): void {
    this.frames.push({ kind: "newCid", sequence, retirePrior, cid: cid.slice(), token: token.slice() });
  }
  onRetireConnectionId(sequence: number): void {
    this.#numbers(FRAME.RETIRE_CONNECTION_ID, sequence);
  }
  onPathChallenge(token: Uint8Array): void {
    this.frames.push({ kind: "path", type: FRAME.PATH_CHALLENGE, token: token.slice() });
  }
  onPathResponse(token: Uint8Array): void {
    this.frames.push({ kind: "path", type: FRAME.PATH_RESPONSE, token: token.slice() });
  }
  onClose(frame: CloseFrame): void {
    this.frames.push({ kind: "close", frame });
  }
  onDatagram(data: Uint8Array): void {
    this.frames.push({ kind: "datagram", data: data.slice() });
  }
  onImmediateAck(): void {
    this.#numbers(FRAME.IMMEDIATE_ACK);
  }
  onAckFrequency({ sequence, threshold, maxDelayMs, reordering }: AckFrequency): void {
    this.#numbers(FRAME.ACK_FREQUENCY, sequence, threshold, Math.round(maxDelayMs * 1000), reordering);
  }
  onRekeyRequest(epoch: number): void {
    this.#numbers(FRAME.REKEY_REQUEST, epoch);
  }

  #numbers(type: number, ...values: readonly number[]): void {
    this.frames.push({ kind: "numbers", type, values });
  }
}
