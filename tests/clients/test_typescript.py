"""An application in strict TypeScript, on a client generated from a model's document."""
