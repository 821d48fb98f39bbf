const GROWTH = 1.25;
const ROUNDS = 3;

/** A path is full when three rounds in a row brought less than a quarter more. */
export class FullPipe {
  #rate = 0;
  #rounds = 0;

  /** From here on growth is counted anew. */
  restart(rate: number): void {
    this.#rate = rate;
    this.#rounds = 0;
  }

  /** Call once for each round that could have brought more; true when the path is full. */
  onRound(rate: number): boolean {
    if (rate >= GROWTH * this.#rate) {
      this.restart(rate);
      return false;
    }
    return ++this.#rounds >= ROUNDS;
  }
}
