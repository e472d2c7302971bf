// The tone of a call that comes in: one second in three, until it is stopped.

const hz = 440;
const volume = 0.1;
const on = 1; // s
const every = 3; // s

export class Ringer {
  #context = null;
  #timer = 0;

  start() {
    this.stop();
    const context = new AudioContext();
    const gain = context.createGain();
    gain.gain.value = 0;
    gain.connect(context.destination);
    const tone = context.createOscillator();
    tone.frequency.value = hz;
    tone.connect(gain);
    tone.start();
    const beat = () => {
      gain.gain.setValueAtTime(volume, context.currentTime);
      gain.gain.setValueAtTime(0, context.currentTime + on);
    };
    beat();
    this.#context = context;
    this.#timer = setInterval(beat, every * 1000);
  }

  stop() {
    if (!this.#context) return;
    clearInterval(this.#timer);
    this.#context.close();
    this.#context = null;
  }
}
