// Numbers on an axis: the place of a value, the round values with ticks, the texts of values.
"use strict";

const Scales = (() => {
  const MOST_DECIMALS = 3; // of a shortened number; one that needs more is written in full
  const HAIR = 1e-9; // what rounding may have taken from a whole number
  const LARGEST = 1e300; // beyond it the width of a range may be infinite
  const SMALLEST = 1e-300; // a difference that counts as none
  const LONG = 1e15; // a number that nobody reads digit by digit

  // A linear or logarithmic map from [low, high] to pixels [from, to], and back.
  function scale({ low, high, log }, from, to) {
    const bend = log ? Math.log10 : (value) => value;
    const unbend = log ? (value) => 10 ** value : (value) => value;
    const rate = (to - from) / (bend(high) - bend(low));
    return {
      low, high, log, from, to,
      place: (value) => from + rate * (bend(value) - bend(low)),
      value: (pixel) => unbend(bend(low) + (pixel - from) / rate),
    };
  }

  // The range of some values with room around it, as a share of its width; a range without width
  // gets one. A logarithmic one is of the positive values; without any value it is null.
  function rangeOf(values, log, room) {
    const [low, high] = extremes(values.filter((value) => isDrawn(value, log)));
    if (low > high) return null;
    if (log) {
      const factor = isOne(low, high) ? 2 : 10 ** (room * (Math.log10(high) - Math.log10(low)));
      return { low: Math.max(1e-307, low / factor), high: Math.min(1e307, high * factor), log };
    }
    const size = 0.1 * Math.abs(low);
    const about = size > SMALLEST ? size : 1;
    const margin = isOne(low, high) ? about : room * (high - low);
    return { low: low - margin, high: high + margin, log };
  }

  // Math.min(...values) would fail on many values.
  function extremes(values) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return [low, high];
  }

  const isOne = (low, high) =>
    high - low <= Math.max(SMALLEST, 1e-12 * Math.max(Math.abs(low), Math.abs(high)));

  const isDrawn = (value, log) =>
    Number.isFinite(value) && Math.abs(value) <= LARGEST && (!log || value > SMALLEST);

  // Round values between the ends of a scale, about `count` of them: [{value, text}]; of counts,
  // whole ones.
  function ticks({ low, high, log, whole }, count) {
    const isLong = log && high / low > 5; // within that, a straight scale's ticks read better
    if (!isLong) return evenTicks(low, high, count, whole ? 1 : 0);
    return decadeTicks(low, high, count).filter(({ value }) => !whole || value >= 1);
  }

  function evenTicks(low, high, count, least) {
    const step = Math.max(least, roundStep((high - low) / count));
    const first = Math.ceil(low / step - HAIR);
    const last = Math.floor(high / step + HAIR);
    const values = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
    return values.map((value) => ({ value, text: tickText(value, step) }));
  }

  // The least of ..., 0.5, 1, 2, 5, 10, 20, ... that is not below a number.
  function roundStep(least) {
    const power = Math.floor(Math.log10(least));
    const digit = [1, 2, 5].find((each) => decade(power, each) >= least * (1 - HAIR));
    return digit ? decade(power, digit) : decade(power + 1);
  }

  // Powers of ten; if there are many, each second, third, ..., and if there are few, 1-2-5.
  function decadeTicks(low, high, count) {
    const first = Math.floor(Math.log10(low));
    const length = Math.ceil(Math.log10(high)) - first + 1;
    const powers = Array.from({ length }, (_, i) => first + i);
    const stride = Math.ceil(powers.length / (count + 1));
    const digits = 3 * (powers.length - 1) <= count + 2 ? [1, 2, 5] : [1];
    return powers
      .filter((power) => power % stride === 0)
      .flatMap((power) => digits.map((digit) => decade(power, digit)))
      .filter((value) => value >= low * (1 - HAIR) && value <= high * (1 + HAIR))
      .map((value) => ({ value, text: tickText(value, value) }));
  }

  const decade = (power, digit = 1) => Number(`${digit}e${power}`); // 10 ** power is not exact

  // 0.25, 500, 1,500, 20M, 5e−9: in full, unless that is long.
  function tickText(value, step) {
    const size = Math.abs(value);
    if (size < step / 2) return "0";
    const [unit, suffix] = unitOf(size, step);
    const decimals = decimalsOf(step / unit);
    if (unit === 1 || decimals > MOST_DECIMALS) {
      const isPlain = size < LONG && step > 1 / LONG;
      return isPlain ? plain(value, decimalsOf(step)) : exponential(value, decimals);
    }
    return minus(Number((value / unit).toFixed(decimals)) + suffix);
  }

  function unitOf(size, step) {
    if (size >= 1e9 || (size < 1e-3 && decimalsOf(step) > MOST_DECIMALS + 1)) {
      const power = Math.floor(Math.log10(size) + HAIR);
      return [decade(power), `e${power}`];
    }
    return size >= 1e7 ? [1e6, "M"] : [1, ""];
  }

  const exponential = (value, decimals) =>
    minus(value.toExponential(Math.min(15, decimals)).replace("e+", "e"));

  const decimalsOf = (step) => Math.min(20, Math.max(0, -Math.floor(Math.log10(step) + HAIR)));

  function plain(value, decimals) {
    const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    return minus(value.toLocaleString("en", digits));
  }

  const SIGN = { signDisplay: "negative" }; // none before a zero
  const DIGITS = new Intl.NumberFormat("en", { maximumSignificantDigits: 4, ...SIGN });
  const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0, ...SIGN });

  // A single value to read: to four digits, or to the decimal point.
  function valueText(value) {
    const size = Math.abs(value);
    if (size >= 1e12 || (size < 1e-3 && size > 0)) {
      return minus(value.toExponential(3).replace(/\.?0*e\+?/, "e"));
    }
    return minus((size >= 1e3 ? WHOLE : DIGITS).format(value));
  }

  const minus = (text) => text.replaceAll("-", "−");

  return { scale, rangeOf, extremes, isDrawn, ticks, valueText };
})();
