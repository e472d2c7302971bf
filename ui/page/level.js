// How loud a stream is, on a meter element from 0 (-60 dBFS or less) to 1 (full
// scale), ten times a second while there is a stream.

const every = 100; // ms
const floor = -60; // dBFS

export class Level {
  constructor(meter) {
    this.meter = meter;
    this.context = null;
  }

  // of measures a stream, or nothing when it is null.
  of(stream) {
    this.stop();
    if (!stream || stream.getAudioTracks().length === 0) return;
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 1024;
    context.createMediaStreamSource(stream).connect(analyser);
    const wave = new Float32Array(analyser.fftSize);
    this.context = context;
    this.timer = setInterval(() => {
      analyser.getFloatTimeDomainData(wave);
      const power = wave.reduce((sum, x) => sum + x * x, 0) / wave.length;
      const db = power > 0 ? 10 * Math.log10(power) : floor;
      this.meter.value = Math.min(Math.max((db - floor) / -floor, 0), 1);
    }, every);
  }

  stop() {
    if (!this.context) return;
    clearInterval(this.timer);
    this.context.close();
    this.context = null;
    this.meter.value = 0;
  }
}
