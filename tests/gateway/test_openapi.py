"""The OpenAPI document of a model: it is valid, and says what the gateway does."""
