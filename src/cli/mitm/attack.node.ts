import { performance } from "node:perf_hooks";
import type { Address, DatagramSocket } from "#kernel/ports.js";
import { xOf } from "#pairing/exchange.js";
import { decodeMessage, encodeMessage, TYPE } from "#pairing/messages.js";
import { nonceThatShows } from "./digitSearch.node.js";
import { runLookAlikePc, runLookAlikePhone, runPc, runPhone } from "./ends.node.js";
import type { Act, Report } from "./report.js";

/** The attacker's two sockets: the phone believes that one is the PC, the PC believes that the other is a phone. */
export interface Between {
  readonly toPhone: DatagramSocket;
  readonly toPc: DatagramSocket;
  readonly pc: Address;
  readonly tell: (report: Report) => void;
}

/** Takes the phone's place towards the PC first, so that the PC's digits are known; then waits for the phone. */
export function attack(act: Act, between: Between): void {
  const ready = (pcDigits: string): void => {
    if (act === "lookAlike") deceiveLookAlike(between, pcDigits);
    else deceivePhone(act, between, pcDigits);
    between.tell({ type: "ready" });
  };
  if (act === "lookAlike") runLookAlikePhone(between.toPc, between.pc, { digits: ready });
  else runPhone(between.toPc, between.pc, "Ana's phone", { digits: ready });
}

/** The look-alike lets us choose our nonce last. */
function deceiveLookAlike({ toPhone, tell }: Between, pcDigits: string): void {
  let chosen: Uint8Array | undefined;
  runLookAlikePc(toPhone, { digits: () => {} }, ({ keyA, keyB, nonceA }) => {
    chosen ??= search(pcDigits, xOf(keyA), xOf(keyB), nonceA, tell);
    return chosen;
  });
}

/** Handfast's own PC code with the attacker's keys; with "search", the nonce it has committed to is exchanged for a better one. */
function deceivePhone(act: Act, { toPhone, tell }: Between, pcDigits: string): void {
  let [keyA, keyB, nonceA] = [new Uint8Array(0), new Uint8Array(0), new Uint8Array(0)];
  let forged: Uint8Array | undefined;
  const between: DatagramSocket = {
    ...toPhone,
    onDatagram: (listener) =>
      toPhone.onDatagram((bytes, from) => {
        const message = decodeMessage(bytes);
        if (message?.type === TYPE.START) keyA = message.publicKey.slice();
        if (message?.type === TYPE.NONCE) nonceA = message.nonce.slice();
        listener(bytes, from);
      }),
    send: (bytes, to) => {
      const message = decodeMessage(bytes);
      if (message?.type === TYPE.OFFER) keyB = message.publicKey.slice();
      if (act !== "search" || message?.type !== TYPE.REVEAL) return toPhone.send(bytes, to);
      forged ??= encodeMessage({ ...message, nonce: search(pcDigits, xOf(keyA), xOf(keyB), nonceA, tell) });
      return toPhone.send(forged, to);
    },
  };
  runPc(between, "Ana's PC", { digits: () => {} });
}

function search(
  digits: string,
  keyA: Uint8Array,
  keyB: Uint8Array,
  nonceA: Uint8Array,
  tell: (report: Report) => void,
): Uint8Array {
  const began = performance.now();
  const nonce = nonceThatShows(digits, keyA, keyB, nonceA);
  tell({ type: "searched", milliseconds: performance.now() - began });
  return nonce ?? new Uint8Array(16);
}
