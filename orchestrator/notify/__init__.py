"""Messages to chats and webhooks about rollouts and drift."""
