import { toHex } from "#kernel/bytes.js";
import { type AckFrame, type AckFrequency, type CloseFrame, FRAME, type FrameSink } from "./frames.js";
import { parseFrames } from "./parseFrames.js";

/** One frame in words: its name as qlog writes it, and its fields. */
export interface DescribedFrame {
  readonly frame_type: string;
  readonly [field: string]: unknown;
}

/** The frames of a payload, in order. What cannot be read ends the list as `unknown`; contents are never part of it. */
export function describeFrames(payload: Uint8Array): readonly DescribedFrame[] {
  const frames: DescribedFrame[] = [];
  const sink = new Describer(frames);
  try {
    const eliciting = parseFrames(payload, sink);
    if (frames.length === 0) frames.push({ frame_type: eliciting ? "ping" : "padding" });
  } catch (error) {
    frames.push({ frame_type: "unknown", reason: error instanceof Error ? error.message : "" });
  }
  return frames;
}

class Describer implements FrameSink {
  readonly #frames: DescribedFrame[];

  constructor(frames: DescribedFrame[]) {
    this.#frames = frames;
  }

  onAck({ delayMs, ranges }: AckFrame): void {
    const acked: (readonly [number, number])[] = [];
    for (let i = 0; i < ranges.length; i += 2) acked.push([ranges[i] ?? 0, ranges[i + 1] ?? 0]);
    this.#add("ack", { ack_delay: Math.round(delayMs * 1000) / 1000, acked_ranges: acked });
  }

  onResetStream(id: number, code: number, finalSize: number): void {
    this.#add("reset_stream", { stream_id: id, error_code: code, final_size: finalSize });
  }

  onStopSending(id: number, code: number): void {
    this.#add("stop_sending", { stream_id: id, error_code: code });
  }

  onCrypto(offset: number, data: Uint8Array): void {
    this.#add("crypto", { offset, length: data.length });
  }

  onStream(id: number, offset: number, data: Uint8Array, fin: boolean): void {
    this.#add("stream", { stream_id: id, offset, length: data.length, fin });
  }

  onDataBlocked(stream: number | undefined, limit: number): void {
    if (stream === undefined) this.#add("data_blocked", { limit });
    else this.#add("stream_data_blocked", { stream_id: stream, limit });
  }

  onStreamsBlocked(unidirectional: boolean, limit: number): void {
    this.#add("streams_blocked", { stream_type: unidirectional ? "unidirectional" : "bidirectional", limit });
  }

  onMaxData(limit: number): void {
    this.#add("max_data", { maximum: limit });
  }

  onMaxStreamData(id: number, limit: number): void {
    this.#add("max_stream_data", { stream_id: id, maximum: limit });
  }

  onMaxStreams(unidirectional: boolean, limit: number): void {
    this.#add("max_streams", { stream_type: unidirectional ? "unidirectional" : "bidirectional", maximum: limit });
  }

  onNewConnectionId(sequence: number, retirePrior: number, cid: Uint8Array): void {
    this.#add("new_connection_id", {
      sequence_number: sequence,
      retire_prior_to: retirePrior,
      connection_id: toHex(cid),
    });
  }

  onRetireConnectionId(sequence: number): void {
    this.#add("retire_connection_id", { sequence_number: sequence });
  }

  onPathChallenge(token: Uint8Array): void {
    this.#add("path_challenge", { data: toHex(token) });
  }

  onPathResponse(token: Uint8Array): void {
    this.#add("path_response", { data: toHex(token) });
  }

  onClose({ application, code, reason }: CloseFrame): void {
    this.#add("connection_close", { error_space: application ? "application" : "transport", error_code: code, reason });
  }

  onDatagram(data: Uint8Array): void {
    this.#add("datagram", { length: data.length });
  }

  onImmediateAck(): void {
    this.#add("immediate_ack", {});
  }

  onAckFrequency({ sequence, threshold, maxDelayMs, reordering }: AckFrequency): void {
    this.#add("ack_frequency", {
      sequence_number: sequence,
      ack_eliciting_threshold: threshold,
      requested_max_ack_delay: maxDelayMs,
      reordering_threshold: reordering,
    });
  }

  onRekeyRequest(epoch: number): void {
    this.#add(`0x${FRAME.REKEY_REQUEST.toString(16)} rekey_request`, { epoch });
  }

  #add(name: string, fields: object): void {
    this.#frames.push({ frame_type: name, ...fields });
  }
}
