/** A device that announces itself on the network, as discovery found it. Nothing here is proved. */
export interface Host {
  readonly instance: string;
  readonly port: number;
  readonly addresses: readonly string[];
  /** Only while its pairing window is open. */
  readonly name: string | undefined;
  readonly pairing: boolean;
  readonly tag: Uint8Array | undefined;
}

export interface Advertisement {
  /** Shows or hides the name and the open window. */
  setPairing(open: boolean): void;
  /** Says goodbye. */
  close(): Promise<void>;
}

/** What the device needs of discovery; `discovery/mdns.node.ts` gives it on Node. */
export interface Discovery {
  advertise(options: {
    readonly port: number;
    readonly irk: Uint8Array;
    readonly name: string;
    /** The application; shown, as the name is, only while the pairing window is open. */
    readonly service?: string;
  }): Advertisement;
  browse(listeners: {
    /** Only devices of this application whose pairing window is open. */
    readonly service?: string;
    readonly onFound: (host: Host) => void;
    readonly onUpdated?: (host: Host) => void;
    readonly onLost?: (instance: string) => void;
  }): { close(): void };
  /** Our own addresses on the networks in use. */
  readonly addresses: readonly string[];
  /** What does not work and what was dropped, for `doctor` and `status`. */
  readonly status?: {
    /** A sentence for the person each. */
    readonly problems: readonly string[];
    readonly drops: Readonly<Record<string, number>>;
  };
  close(): Promise<void>;
}
