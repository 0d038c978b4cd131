// Ghost text that was asked for before the model was there: it is asked for again once it is.

/** Where a cursor is, in which text. */
export interface Place {
  readonly uri: string;
  /** The document's, as the editor counts its changes. */
  readonly version: number;
  readonly line: number;
  readonly character: number;
}

/** The last place where the model was still being loaded; one per window. */
export class Waiting {
  private place: Place | undefined;

  /** A request ended without ghost text, for a reason of this code, with the cursor here. */
  ended(code: string, place: Place | undefined): void {
    this.place = code === 'model-loading' ? place : undefined;
  }

  /** Whether to ask again, now that the model is ready; `place` is undefined without a focus. */
  again(place: Place | undefined): boolean {
    const asked = this.place;
    this.place = undefined;
    return (
      asked !== undefined &&
      asked.uri === place?.uri &&
      asked.version === place.version &&
      asked.line === place.line &&
      asked.character === place.character
    );
  }
}
