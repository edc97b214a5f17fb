"""The platform in containers, for production: what docker-compose.yaml describes, as one thing."""
