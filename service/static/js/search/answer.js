// An answer of one collection and one of several in the same shape.

/**
 * Every result has its `collection`, and what is about a collection is in `thresholds` and `origins`
 * (`[{collection, snapshot, encoder}]`); `best_score` and `passing` are over all of them. `collection` is null where there
 * are several.
 */
export function uniform(answer) {
  const { collections, collection, results } = answer;
  if (!collections) {
    return {
      ...answer,
      results: results.map((result) => ({ ...result, collection })),
      thresholds: { [collection]: answer.threshold },
      origins: [{ collection, snapshot: answer.snapshot, encoder: answer.encoder }],
    };
  }
  const origins = collections.map((name) => ({
    collection: name,
    snapshot: answer.snapshot[name],
    encoder: answer.encoder[name],
  }));
  const best = Object.values(answer.best_score).filter((score) => score !== null);
  return {
    ...answer,
    collection: null,
    thresholds: answer.threshold,
    threshold: null,
    origins,
    best_score: best.length ? Math.max(...best) : null,
    passing: answer.passing && Object.values(answer.passing).reduce((sum, count) => sum + count, 0),
  };
}
