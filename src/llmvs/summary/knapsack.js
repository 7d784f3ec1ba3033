// The exact 0/1 knapsack of llmvs.evaluation.keyshots, number by number: the same additions in the same order, so the
// same set of shots. The table is filled once, for the largest capacity; every smaller one is then a walk back through it.
function knapsackTable(values, weights, capacity) {
  const best = new Float64Array(capacity + 1), width = capacity + 1;
  const taken = new Uint8Array(values.length * width);
  for (let item = 0; item < values.length; item++) {
    const size = weights[item], value = values[item], row = item * width;
    for (let room = capacity; room >= size; room--) {
      const withItem = best[room - size] + value;
      if (withItem > best[room]) { best[room] = withItem; taken[row + room] = 1; }
    }
  }
  return room => {
    const chosen = [];
    room = Math.min(room, capacity);
    for (let item = values.length - 1; item >= 0; item--)
      if (taken[item * width + room]) { chosen.push(item); room -= weights[item]; }
    return chosen.reverse();
  };
}
